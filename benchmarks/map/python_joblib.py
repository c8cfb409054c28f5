# SPDX-License-Identifier: BSL-1.0
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1]))
import config
import pools

if __name__ == "__main__":
    config.run(pools.Joblib)
