"""Makes a file and keeps it open, and so locked, until standard input ends: python3 hold-file.py FILE"""

import sys

import h5py

with h5py.File(sys.argv[1], "w", locking=True):
    print("open", flush=True)
    sys.stdin.read()
