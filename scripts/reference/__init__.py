"""Plain PyTorch statements, in double precision, of what kiti-dist computes. Needs torch, numpy and h5py."""
