//go:build unix && (!linux || race)

package netserver

import "syscall"

func socketRead(fd uintptr, b []byte) (int, error)  { return syscall.Read(int(fd), b) }
func socketWrite(fd uintptr, b []byte) (int, error) { return syscall.Write(int(fd), b) }
