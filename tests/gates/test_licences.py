"""The licences of what is installed at run time: known, permissive, and told in NOTICE."""

import re
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAID_OTHERWISE = {
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "License :: Public Domain": "Public Domain",
    "License :: OSI Approved :: Python Software Foundation License": "PSF-2.0",
}
NOT_SAID = {"pysqlite3": "Zlib"}  # its metadata names none; the LICENSE it brings is zlib's
TAKEN = {
    *("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT"),
    *("MPL-2.0", "PSF-2.0", "Public Domain", "Zlib"),
}


def licence_of(name):
    """What the distribution says of itself, in SPDX's words."""
    found = metadata.metadata(name)
    classes = [one for one in found.get_all("Classifier") or [] if one in SAID_OTHERWISE]
    said = found.get("License-Expression") or found.get("License") or (classes or [None])[0]
    return SAID_OTHERWISE.get(said, said) or NOT_SAID[name]


def locked():
    text = (ROOT / "requirements" / "runtime.txt").read_text()
    return re.findall(r"^([a-z0-9][\w.-]*)", text, re.MULTILINE)


def test_notice_lists_what_an_installation_consists_of_with_the_licences_it_declares():
    text = (ROOT / "NOTICE").read_text()
    listed = dict(re.findall(r"^  ([a-z0-9-]+): (.+)$", text, re.MULTILINE))

    assert listed == {name: licence_of(name) for name in locked()}


def test_every_licence_is_one_that_may_be_shipped():
    for name in locked():
        parts = set(re.split(r" AND | OR |[()]", licence_of(name))) - {""}
        assert parts <= TAKEN, name


def test_what_has_no_declared_licence_is_still_undeclared():
    for name in NOT_SAID:
        found = metadata.metadata(name)
        assert not found.get("License-Expression")
        assert not found.get("License")
