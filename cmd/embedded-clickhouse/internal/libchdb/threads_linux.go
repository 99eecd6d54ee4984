package libchdb

import (
	"bytes"
	"debug/elf"
	"unsafe"

	"golang.org/x/sys/unix"
)

// threadStatistics is the path of the kernel's statistics of the calling thread, as the engine's library contains it.
const threadStatistics = "\x00/proc/thread-self/schedstat\x00"

// hideThreadStatistics makes the engine believe that the kernel has no statistics of threads, which nobody reads. A
// confined process sees that the file exists, but cannot open it, and the engine would throw an exception in each
// thread of each statement: a quarter of a small statement's processor time.
//
// The engine looks once whether the file exists. It does not when the path is empty. Where that cannot be arranged the
// engine is only slower.
func hideThreadStatistics(l *loaded) {
	texts := l.Section(".rodata")
	if texts == nil || !l.readOnly(texts.Addr) {
		return
	}
	i := bytes.Index(unsafe.Slice((*byte)(l.at(texts.Addr)), texts.Size), []byte(threadStatistics))
	if i < 0 {
		return
	}
	first := (*byte)(l.at(texts.Addr + uint64(i) + 1))
	page := pageOf(unsafe.Pointer(first))
	if unix.Mprotect(page, unix.PROT_READ|unix.PROT_WRITE) == nil {
		*first = 0
		_ = unix.Mprotect(page, unix.PROT_READ)
	}
}

// readOnly reports whether an address of the file is in memory that can neither be written nor executed.
func (l *loaded) readOnly(address uint64) bool {
	for _, p := range l.Progs {
		if p.Type == elf.PT_LOAD && address >= p.Vaddr && address < p.Vaddr+p.Memsz {
			return p.Flags == elf.PF_R
		}
	}
	return false
}
