"""Spark in local mode, with two processors of this machine."""

import sys

import pytest

#: Of the first session of a process, whose Java machine all later ones share. Spark's usual compression needs a library
#: that is not everywhere.
_ARGUMENTS = "--master local[2] --conf spark.sql.parquet.compression.codec=gzip pyspark-shell"


def use_local_spark(monkeypatch):
    """Let new sessions of Spark be local ones; skip where PySpark is not installed."""
    pytest.importorskip("pyspark")
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", _ARGUMENTS)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
