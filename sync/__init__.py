"""The flow between the CRMs and the store: runs, the page loop, matching, merging, the job worker."""
