"""Processes on this machine: started, waited for, and ended with nothing left behind."""
