"""pandas: files, groups, joins, times."""
import io

import numpy as np
import pandas as pd

frame = pd.DataFrame({"key": list("abcab"), "value": np.arange(5.0), "at": pd.date_range("2024-03-30", periods=5, tz="Europe/Berlin")})
frame.to_csv("frame.csv", index=False)
assert pd.read_csv("frame.csv").value.sum() == 10
assert pd.read_csv(io.StringIO("a,b\n1,2\n"), engine="python").b[0] == 2
frame.to_json("frame.json", orient="records")
assert len(pd.read_json("frame.json")) == 5
frame.to_pickle("frame.pickle.gz")
assert pd.read_pickle("frame.pickle.gz").equals(frame)
assert frame.groupby("key").value.sum().to_dict() == {"a": 3.0, "b": 5.0, "c": 2.0}
assert len(frame.merge(frame, on="key")) == 9
assert frame.set_index("at").resample("2D").value.sum().sum() == 10
assert frame["at"].dt.tz_convert("America/New_York").dt.hour[0] == 19
assert frame.pivot_table(index="key", values="value", aggfunc="mean").shape == (3, 1)
assert frame.value.rolling(2).mean().iloc[-1] == 3.5
assert frame.query("value > 2").shape[0] == 2
assert frame.describe().shape[1] >= 1
assert "value" in frame.to_html() and "value" in frame.to_string()
assert pd.to_datetime("2024-01-01 12:00").tz_localize("UTC").isoformat() == "2024-01-01T12:00:00+00:00"
