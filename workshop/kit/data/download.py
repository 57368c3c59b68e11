"""Downloading a published image set into Keras' cache, with a time limit."""

import socket
import threading
import urllib.request

from workshop.kit.data import published_images
from workshop.kit.lazy import keras

TIMEOUT = 10.0  # seconds without a response


def download(name: str) -> bool:
    """Fetches a set into Keras' cache, and prints what it does; returns whether that worked."""
    published = published_images.SETS[name]
    print(f"Data      downloading {published.title} ...", flush=True)
    failure: list[str] = []
    responded = threading.Event()

    def request_header() -> None:
        # Looking up a host's name has no time limit of its own, so the request runs in a thread.
        request = urllib.request.Request(published.url, method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=TIMEOUT).close()
        except Exception as error:  # of the network, of a proxy's address, of a response that is not HTTP
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                return  # no response
            failure.append(str(reason))
        responded.set()

    threading.Thread(target=request_header, daemon=True).start()
    if not responded.wait(TIMEOUT):
        print(f"Data      no response within {TIMEOUT:g} s: going on without a network")
        return False
    if not failure:
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(TIMEOUT)
        try:
            getattr(keras.datasets, name).load_data()
            return True
        except Exception as error:  # Keras raises a bare Exception for a failed download
            failure.append(str(error))
        finally:
            socket.setdefaulttimeout(before)
    print(f"Data      the download failed ({' '.join(failure[0].split())[:120]}): going on without a network")
    return False
