"""The process table of Windows, by a Toolhelp snapshot; whatever fails there answers nothing."""

import sys

from mcp_gateway.agent.process import Process

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _SNAP_PROCESSES = 0x2  # TH32CS_SNAPPROCESS
    _QUERY = 0x1000  # PROCESS_QUERY_LIMITED_INFORMATION

    class _Entry(ctypes.Structure):
        """PROCESSENTRY32W."""

        _fields_ = [
            ("dwSize", wintypes.DWORD),
            ("cntUsage", wintypes.DWORD),
            ("th32ProcessID", wintypes.DWORD),
            ("th32DefaultHeapID", ctypes.c_size_t),
            ("th32ModuleID", wintypes.DWORD),
            ("cntThreads", wintypes.DWORD),
            ("th32ParentProcessID", wintypes.DWORD),
            ("pcPriClassBase", wintypes.LONG),
            ("dwFlags", wintypes.DWORD),
            ("szExeFile", wintypes.WCHAR * 260),
        ]

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.CreateToolhelp32Snapshot.restype = wintypes.HANDLE
    _kernel.OpenProcess.restype = wintypes.HANDLE
    for _name in ("Process32FirstW", "Process32NextW"):
        getattr(_kernel, _name).argtypes = [wintypes.HANDLE, ctypes.POINTER(_Entry)]
    _kernel.GetProcessTimes.argtypes = [wintypes.HANDLE] + [ctypes.POINTER(wintypes.FILETIME)] * 4
    _kernel.CloseHandle.argtypes = [wintypes.HANDLE]

    def _table() -> dict[int, tuple[int, str]]:
        """(parent, program) by process id."""
        snapshot = _kernel.CreateToolhelp32Snapshot(_SNAP_PROCESSES, 0)
        if snapshot in (None, wintypes.HANDLE(-1).value):
            return {}
        found = {}
        entry = _Entry(dwSize=ctypes.sizeof(_Entry))
        try:
            more = _kernel.Process32FirstW(snapshot, ctypes.byref(entry))
            while more:
                found[int(entry.th32ProcessID)] = (int(entry.th32ParentProcessID), str(entry.szExeFile))
                more = _kernel.Process32NextW(snapshot, ctypes.byref(entry))
        finally:
            _kernel.CloseHandle(snapshot)
        return found

    def started(pid: int) -> str:
        """When a process started; empty when that is not to be had."""
        handle = _kernel.OpenProcess(_QUERY, False, pid)
        if not handle:
            return ""
        times = [wintypes.FILETIME() for _ in range(4)]
        try:
            if not _kernel.GetProcessTimes(handle, *(ctypes.byref(time) for time in times)):
                return ""
        finally:
            _kernel.CloseHandle(handle)
        return str((times[0].dwHighDateTime << 32) + times[0].dwLowDateTime)

    def runs(pid: int) -> bool:
        """Whether there is such a process."""
        return pid in _table()

    def ancestors(pid: int, most: int) -> list[Process]:
        """Nearest first. A parent that started after its child is another process with a used-up id."""
        table = _table()
        found: list[Process] = []
        child = started(pid)
        at = pid
        while at in table and len(found) < most:
            at = table[at][0]
            since = started(at)
            if at not in table or (since and child and int(since) > int(child)):
                break
            found.append(Process(at, since, table[at][1]))
            child = since or child
        return found

else:

    def runs(pid: int) -> bool:
        """Nothing is known elsewhere."""
        return False

    def started(pid: int) -> str:
        """Nothing is known elsewhere."""
        return ""

    def ancestors(pid: int, most: int) -> list[Process]:
        """Nothing is known elsewhere."""
        return []
