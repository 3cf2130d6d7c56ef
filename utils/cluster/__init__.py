"""A folder of experiments over the workers of `dask.distributed`, on this machine or on others."""
