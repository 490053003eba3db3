"""The default number of threads: the variable of the environment, the CPU affinity, the quota of a container."""

import os
import subprocess
import sys

import pytest

from ctckit import _native

needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the platform has no CPU affinity")


def run(code, **environment):
    without = {name: value for name, value in os.environ.items() if name != "CTCKIT_NUM_THREADS"}
    command = [sys.executable, "-c", f"import os, ctckit\n{code}"]
    return subprocess.run(command, env=without | environment, capture_output=True, text=True, check=False)


def threads(code="", **environment):
    done = run(f"{code}\nprint(ctckit.num_threads())", **environment)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize(("value", "expected"), [("1", 1), ("7", 7), (" 3 ", 3), ("99999", 1024)])
def test_the_environment_sets_the_number(value, expected):
    assert threads(CTCKIT_NUM_THREADS=value) == expected


def test_a_call_counts_more_than_the_environment():
    assert threads("ctckit.set_num_threads(5)", CTCKIT_NUM_THREADS="7") == 5


@pytest.mark.parametrize("value", ["many", "0", "-1", "1.5", "4,2", "9" * 5000])
def test_a_value_that_is_no_number_is_an_error(value):
    done = run("ctckit.num_threads()", CTCKIT_NUM_THREADS=value)
    assert done.returncode == 1
    assert (
        f"the environment variable CTCKIT_NUM_THREADS is '{value}'; expected a whole number, 1 or more." in done.stderr
    )


@needs_affinity
def test_affinity_limits_the_number():
    one = min(os.sched_getaffinity(0))
    assert threads(f"os.sched_setaffinity(0, [{one}])") == 1
    assert threads(f"os.sched_setaffinity(0, [{one}])", CTCKIT_NUM_THREADS="3") == 3
    assert 1 <= threads(CTCKIT_NUM_THREADS="") <= len(os.sched_getaffinity(0))


@pytest.fixture
def quota(tmp_path):
    """Return the processors of a fake tree of control groups: {path: content}, and the list of the process's groups."""

    def found(files, groups="0::/\n"):
        for name, content in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        if groups is not None:
            (tmp_path / "groups").write_text(groups)
        return _native.quota_processors(str(tmp_path / "cgroup"), str(tmp_path / "groups"))

    return found


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),  # rounded up
        ("200001 100000\n", 3),
        ("1000 100000\n", 1),
        ("9223372036854775807 1\n", 0),  # as good as none
        ("max 100000\n", 0),
    ],
)
def test_quotas_of_version_2(quota, content, expected):
    assert quota({"cpu.max": content}) == expected
    assert quota({"cpu.max": "max 100000\n", "unified/cpu.max": content}) == expected  # mounted beside version 1


@pytest.mark.parametrize(
    ("amount", "period", "expected"), [("250000\n", "100000\n", 3), ("-1\n", "100000\n", 0), ("50000\n", "100000\n", 1)]
)
def test_quotas_of_version_1(quota, amount, period, expected):
    groups = "7:memory:/other\n4:cpuset:/\n3:cpu,cpuacct:/docker/1\n0::/\n"
    for folder in ("cpu/docker/1", "cpu"):  # in a container, its group is often mounted as the root
        assert quota({f"{folder}/cpu.cfs_quota_us": amount, f"{folder}/cpu.cfs_period_us": period}, groups) == expected


def test_the_smallest_quota_around_the_process_counts(quota):
    files = {"a/b/cpu.max": "400000 100000", "a/cpu.max": "300000 100000", "other/cpu.max": "100000 100000"}
    assert quota(files, "0::/a/b\n") == 3
    assert quota({"cpu.max": "200000 100000"}, "0::/a/b\n") == 2
    assert quota({"a/b/cpu.max": "100000 100000"}, "0::/a/b\n") == 1


@pytest.mark.parametrize(
    "content", ["", "max", "200000", "one two", "2 x", "0 100000", "-5 100000", "200000 0", "\0" * 99]
)
def test_odd_files_are_no_quota(quota, content):
    assert quota({"cpu.max": content}) == 0


@pytest.mark.parametrize(("amount", "period"), [("", "100000"), ("100000", ""), ("x", "1"), ("1", "0"), ("0", "1")])
def test_odd_files_of_version_1_are_no_quota(quota, amount, period):
    assert quota({"cpu/cpu.cfs_quota_us": amount, "cpu/cpu.cfs_period_us": period}, "1:cpu:/\n") == 0


@pytest.mark.parametrize(
    "groups", [None, "", ":", "::", "0::", "no colon\n\n", "0::/../../elsewhere\n", "0::" + "/x" * 5000]
)
def test_odd_or_absent_lists_of_groups_leave_the_root(quota, groups):
    assert quota({}, groups) == 0
    assert quota({"cpu.max": "200000 100000"}, groups) == 2
