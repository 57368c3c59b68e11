"""The `.keras` of a saved model: a zip archive of its configuration and its weights, checked before Keras reads it.

`checked` returns an archive of nothing but what was checked. How the model was trained (`compile_config`) is left out:
programs predict, and losses, metrics and optimizers are only more classes for a hostile file to name.
"""

import io
import json
import re
import zipfile
from typing import Any

from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.saving import safety

_CONFIG = "config.json"
_WEIGHTS = "model.weights.h5"
_METADATA = "metadata.json"
_ASSETS = "assets/"
# Keras stores its parts as they are, and weights that somebody compressed shrink by a tenth.
_MAX_EXPANSION = 20


def is_archive(content: bytes) -> bool:
    """Returns whether a file's content is a zip archive, as `.keras` files are."""
    return content.startswith(b"PK\x03\x04")


def checked(content: bytes, path: FilePath) -> tuple[bytes, dict[str, Any]]:
    """Returns the `.keras` that Keras may load, and the configuration in it; `path` is for the messages.

    Raises:
        WorkshopError: the archive is damaged, unpacks to far more than its size, holds code or files for its layers,
            or reaches outside of itself.
    """
    refused = f"{path} is refused: "
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > _MAX_EXPANSION * len(content):
                raise WorkshopError(f"{refused}unpacked it is more than {_MAX_EXPANSION} times as large")
            names = {member.filename for member in members}
            for part in (_CONFIG, _WEIGHTS):
                if part not in names:
                    raise WorkshopError(f"{refused}it has no {part}: save it with model.save()")
            if any(name.startswith(_ASSETS) and name != _ASSETS for name in names):
                raise WorkshopError(f"{refused}a layer of it would read files ({_ASSETS}), as layers for texts do")
            text, weights = _read(archive, _CONFIG), _read(archive, _WEIGHTS)
            version = _version(_read(archive, _METADATA)) if _METADATA in names else ""
    except WorkshopError:
        raise
    except Exception as error:  # a damaged archive raises anything
        raise WorkshopError(
            f"{path} is damaged, or not a .keras file ({type(error).__name__}): copy or train it again"
        ) from error
    config = safety.read_config(text, refused, without=("compile_config",))
    safety.read_hdf5(weights, path)
    rewritten = io.BytesIO()
    with zipfile.ZipFile(rewritten, "w") as archive:
        archive.writestr(_CONFIG, json.dumps(config))
        archive.writestr(_WEIGHTS, weights)
        archive.writestr(_METADATA, json.dumps({"keras_version": version}))
    return rewritten.getvalue(), config


def _version(text: bytes) -> str:
    metadata = json.loads(text)
    version = metadata.get("keras_version") if isinstance(metadata, dict) else ""
    return version if isinstance(version, str) and re.fullmatch(r"[\w.]{1,20}", version) else ""


def parts_of_keras_2(content: bytes) -> tuple[dict[str, Any], bytes] | None:
    """Returns configuration and weights of a checked archive that Keras 2.12 to 2.15 wrote; None for one of Keras 3."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if _METADATA not in archive.namelist() or not _version(archive.read(_METADATA)).startswith("2."):
            return None
        return json.loads(archive.read(_CONFIG)), archive.read(_WEIGHTS)


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    """Returns a part of the archive, whose checksum is compared; no longer than the archive says."""
    member: Any = archive.getinfo(name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("the other methods may ask for any amount of memory")
    return archive.read(member)
