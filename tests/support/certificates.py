"""Certificates of a test's own authority, by the openssl command."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def authority(folder: Path, name: str) -> tuple[Path, Path]:
    """Certificate and key of a new authority."""
    return _made(folder, name, "-addext", "basicConstraints=critical,CA:TRUE")


def issued(folder: Path, name: str, by: tuple[Path, Path]) -> tuple[Path, Path]:
    """Certificate and key that an authority vouches for, for localhost and 127.0.0.1."""
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    return _made(folder, name, "-addext", names, "-CA", str(by[0]), "-CAkey", str(by[1]))


def ending(folder: Path, days: int) -> tuple[Path, Path]:
    """Certificate and key for localhost that end in so many days; below zero, have ended."""
    certificate, key, request = (folder / f"ending.{kind}" for kind in ("pem", "key", "csr"))
    ask = ["openssl", "req", "-new", *KEY, "-subj", "/CN=localhost", "-keyout", key]
    sign = ["openssl", "x509", "-req", "-in", request, "-signkey", key, "-days", str(days)]
    subprocess.run([*ask, "-out", request], check=True, capture_output=True)
    subprocess.run([*sign, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def _made(folder: Path, name: str, *how: str) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", *KEY, "-days", "2", "-subj", f"/CN={name}", *how]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key
