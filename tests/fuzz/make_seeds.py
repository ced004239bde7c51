#!/usr/bin/env python3
"""Writes good files to begin with, FOLDER/TARGET/*, and words that such files are made of, FOLDER/TARGET.dict (libFuzzer's
dictionaries): make_seeds.py FOLDER SOURCE. What only ktrain writes comes from test_fuzz.c."""
import glob
import gzip
import io
import os
import shutil
import struct
import sys
import zipfile

import h5py
import numpy as np

folder, source = sys.argv[1:]
X = np.arange(12).reshape(3, 4)
Y = np.array([0, 2, 1])


def write(target, name, data):
    os.makedirs(os.path.join(folder, target), exist_ok=True)
    with open(os.path.join(folder, target, name), "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def words(target, *all_words):
    """Each as libFuzzer wants it: in quotes, with every byte that is no letter as an escape."""
    with open(os.path.join(folder, target + ".dict"), "w") as file:
        for word in all_words:
            data = word if isinstance(word, bytes) else word.encode()
            file.write('"' + "".join(chr(b) if chr(b).isalnum() and b < 128 else f"\\x{b:02x}" for b in data) + '"\n')


def saved(save, *arrays, **named):
    file = io.BytesIO()
    save(file, *arrays, **named)
    return file.getvalue()


def jobs():
    for path in glob.glob(f"{source}/jobs/*.ini"):
        with open(path) as file:
            target = "sweep" if "[sweep]" in file.read() else "ini"
        os.makedirs(os.path.join(folder, target), exist_ok=True)
        shutil.copy(path, os.path.join(folder, target))


def npy():
    for kind in "b1", "u1", ">i2", "<i8", "f2", ">f4", "f8", "f16":
        write("npy", kind.strip("<>") + ".npy", saved(np.save, X.astype(kind)))
    write("npy", "fortran.npy", saved(np.save, np.asfortranarray(X.reshape(3, 2, 2))))
    write("npy", "labels.npy", saved(np.save, Y))
    write("npy", "one_hot.npy", saved(np.save, np.eye(3)))
    words("npy", "descr", "fortran_order", "shape", "True", "False", "'<f4'", "'>i8'", "'|u1'", "'<f16'", "(4611686018427387904,)",
          "(1, 1, 1, 1)", "(0, 4)", "(", ")", ", ", "{", "}", ": ", b"\x93NUMPY\1\0", b"\x93NUMPY\2\0", b"\x93NUMPY\3\0")


def npz():
    write("npz", "stored.npz", saved(np.savez, X=X.astype("u1"), y=Y))
    write("npz", "deflated.npz", saved(np.savez_compressed, images=X.astype("f4"), y=Y))
    write("npz", "one.npz", saved(np.savez_compressed, X))
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    write("npz", "empty.npz", empty.getvalue())
    words("npz", b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", ".npy", "X", b"\x93NUMPY\1\0", b"\xff\xff\xff\xff", b"\0\0\x08\0", b"\1\0")


def idx():
    for code, kind in (8, "u1"), (9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8"):
        plain = bytes([0, 0, code, 2]) + struct.pack(">II", 3, 4) + X.astype(kind).tobytes()
        write("idx", f"{code}.idx", plain)
        write("idx", f"{code}.gz", gzip.compress(plain, mtime=0))
    write("idx", "labels.idx", bytes([0, 0, 8, 1]) + struct.pack(">I", 3) + Y.astype("u1").tobytes())
    words("idx", *(bytes([0, 0, code, n]) for code in (8, 13, 14) for n in (1, 3)), b"\xff\xff\xff\xff", b"\x1f\x8b\x08")


def tables():
    write("table", "plain.csv", "1,2,3\n4,5,6\n7,8,9\n")
    write("table", "named.csv", '\ufeffa;"b;""c";d\r\n1,5;2;3\r\n'.replace("1,5", "1.5"))
    write("table", "pandas.csv", ",0,1\n0,1.5,-2e-3\n1,nan,inf\n2,0,1\n")
    write("table", "column.csv", "0\n1\n2\n1\n")
    write("table", "tabs.csv", "x\ty\n+1\t.5\n2\t3")
    words("table", '"', '""', ",", ";", "\t", "\r\n", "\n\n", "nan", "-inf", "1e308", "Unnamed: 0", "\ufeff", "0x1p3", b"\0")
    write("classes", "map.csv", 'index,code,char\n0,U+304A,"a,b"\n1,U+304D,\u304d\n2,U+3059,\u3059\n')
    write("classes", "plain.csv", "0,no\n1,yes\n")
    words("classes", '"', '""', ",", "\n", "index", "9999", "10000", "18446744073709551616", "\u304d", b"\xff", b"\0")


def hdf5():
    def file_of(name, **options):
        class Writer:
            def __enter__(self):
                self.bytes = io.BytesIO()
                self.file = h5py.File(self.bytes, "w", **options)
                return self.file

            def __exit__(self, *_):
                self.file.close()
                write("hdf5", name, self.bytes.getvalue())
        return Writer()

    with file_of("plain.h5") as f:
        f["X"], f["y"] = X.astype("f4"), Y
    with file_of("latest.h5", libver="latest") as f:
        f["images"], f["y"] = X.astype("u1"), Y.astype(">i2")
    with file_of("zipped.h5") as f:
        f.create_dataset("data", data=X.astype("f8"), chunks=(2, 2), compression="gzip", shuffle=True, fletcher32=True)
    with file_of("deep.h5") as f:
        f["a/b/c"] = X > 3
        f["a/link"], f["soft"] = h5py.SoftLink("/a/b/c"), h5py.SoftLink("/nowhere")
    with file_of("block.h5", userblock_size=512) as f:
        f["x"] = X.astype("f2")
    words("hdf5", b"\x89HDF\r\n\x1a\n", "OHDR", "TREE", "HEAP", "SNOD", "FRHP", "FADB", "EAHD", "BTHD", "GCOL", b"\xff" * 8, b"\0" * 8)


def attempts():
    head = "started,last_seen,from_step,reached_step,ranks,host,session\n"
    write("attempts", "attempts.csv", head + "1.5,2.5,0,000000000100,2,node1,7\n3.25,9,80,000000000400,1,node2,7\n")
    words("attempts", ",", "\n", head, "9223372036854775807", "-9223372036854775808", "1e308", "nan", "-1")


def written_by_ktrain():
    """Of what test_fuzz.c writes, the words."""
    words("journal", '"key"', '"config"', '{"', '"}', '"status"', '"done"', '"code"', "null", "1e999", "\\u0000", '"model.hidden"', '"[64]"', '"error"')
    shutil.copy(os.path.join(folder, "journal.dict"), os.path.join(folder, "journal_content.dict"))
    shutil.copy(os.path.join(folder, "hdf5.dict"), os.path.join(folder, "checkpoint_content.dict"))


for part in jobs, npy, npz, idx, tables, hdf5, attempts, written_by_ktrain:
    part()
