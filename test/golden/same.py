"""Compare two .npz archives member by member: same names, types, shapes and bytes.

    python3 test/golden/same.py COMMITTED NEW
"""

import sys

import numpy as np


def differences(a, b):
    for name in sorted(set(a.files) | set(b.files)):
        if name not in a.files or name not in b.files:
            yield f"{name} is in one of them only"
        elif a[name].dtype != b[name].dtype or a[name].shape != b[name].shape:
            yield f"{name}: {a[name].dtype}{a[name].shape} and {b[name].dtype}{b[name].shape}"
        elif a[name].tobytes() != b[name].tobytes():
            yield f"{name}: other numbers"


if __name__ == "__main__":
    found = list(differences(np.load(sys.argv[1]), np.load(sys.argv[2])))
    print("\n".join(found) or "the same")
    sys.exit(1 if found else 0)
