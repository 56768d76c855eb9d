"""same_store.py - a store whose files a test wrote in another place, and that is to be taken for the one it was.

A server knows a copy of its store by journal/place, which says which file it is itself (storage/journal/copied.h).
"""

import os
import re


def claim(store):
    """From now on what lies there is the store, not a copy of it."""
    try:
        with open(os.path.join(store, "journal", "place"), "r+") as file:
            line = re.sub(r"inode=\d+ birth=\d+", f"inode={os.fstat(file.fileno()).st_ino} birth=0", file.read())
            file.seek(0)
            file.truncate()
            file.write(line)
    except FileNotFoundError:
        pass
