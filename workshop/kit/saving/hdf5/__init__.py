"""HDF5 files read without libhdf5, which hangs on some damaged ones: `read` returns the root group."""

from workshop.kit.saving.hdf5.reader import SIGNATURE as SIGNATURE
from workshop.kit.saving.hdf5.reader import read as read
