"""The org: its records, its jobs and batches, its sessions and its clock. It knows no HTTP."""
