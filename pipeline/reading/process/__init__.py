"""Reading, contained: files are read in processes of their own, within memory and time.

``reader_process`` is the service's end, ``child_main`` the other, ``protocol`` says how they speak.
Nothing is imported here: whoever starts the process that reads loads nothing else before, and that
process nothing that only the service needs.
"""
