"""Downloading a published image set into Keras' cache, without ever keeping a room waiting."""

import socket
import threading
import urllib.request

from workshop.kit.data import published_images
from workshop.kit.lazy import keras

TIMEOUT = 10.0  # seconds without an answer


def download(name: str) -> bool:
    """Fetches a set into Keras' cache; returns whether that worked. Says what it does, and what it does instead."""
    published = published_images.SETS[name]
    print(f"Data      downloading {published.title} ...", flush=True)
    failure: list[str] = []
    answered = threading.Event()

    def ask() -> None:
        # Looking up a host's name knows no time limit of its own, so the whole question runs beside us.
        request = urllib.request.Request(published.url, method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=TIMEOUT).close()
        except Exception as error:  # of the network, of a proxy's address, of an answer that is no HTTP
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                return  # no answer
            failure.append(str(reason))
        answered.set()

    threading.Thread(target=ask, daemon=True).start()
    if not answered.wait(TIMEOUT):
        print(f"Data      no answer within {TIMEOUT:g} s: going on without a network")
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
