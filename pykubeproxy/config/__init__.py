"""kube-proxy's configuration: flags, the v1alpha1 file, defaults, merging, validation.

Source: `docs/reference/lifecycle.md` 1-4, 15, 16.

    flags given + file's bytes --complete--> Completed --check--> its config is used

Pure: callers read the file and log the warnings. `completed` is where to begin.
"""
