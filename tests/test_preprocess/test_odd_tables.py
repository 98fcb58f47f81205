"""Numbers in tables of predictions that are no numbers."""

import subprocess
import sys

import pytest

from beampose.formats.deeplabcut import prediction_tables

HEAD = "scorer,s,s,s\nbodyparts,n,n,n\ncoords,x,y,likelihood\n"


@pytest.mark.parametrize(
    "cell", ["1e3084869689", "-1e99999999999", "1e-99999999999999999999", "x", "1;5", "0x1p5"]
)
def test_a_cell_that_is_no_number_is_named_and_does_not_end_the_process(tmp_path, cell):
    file = tmp_path / "aDLC_x.csv"
    file.write_text(f"{HEAD}0,{cell},2,.5\n1,2,3,.9\n")
    # In a process of its own: the usual parser of pandas ends it.
    code = f"""
from beampose.formats.deeplabcut import prediction_tables
try:
    prediction_tables.read({str(file)!r})
except ValueError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0
    assert ran.stderr == ""
    told = f"holds {cell!r}, which is not a number" in ran.stdout or "infinite" in ran.stdout
    assert told or cell.startswith("1e-")


def test_numbers_are_read_as_they_were_written(tmp_path):
    file = tmp_path / "aDLC_x.csv"
    file.write_text(f"{HEAD}0,0.1234567890123456,,1e-30\n1,2,3,.9\n")
    values = prediction_tables.read(str(file)).values
    assert values[0, 0].tolist()[::2] == [0.1234567890123456, 1e-30]
