package libchdb

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// threadStatistics is the path of the kernel's statistics of the calling thread, as the engine's library contains it.
const threadStatistics = "\x00/proc/thread-self/schedstat\x00"

// hideThreadStatistics makes the engine believe that the kernel has no statistics of threads, which nobody reads. A
// confined process sees that the file exists, but cannot open it, and the engine would throw an exception in each
// thread of each statement: a quarter of a small statement's processor time.
//
// The engine looks once whether the file exists. It does not when the path is empty. A library without the path is left
// as it is.
func hideThreadStatistics(path string, symbolAddress uintptr) error {
	file, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	anchor, err := anchorOf(file)
	if err != nil {
		return err
	}
	texts := file.Section(".rodata")
	if texts == nil {
		return errors.New("the library has no section .rodata")
	}
	start := symbolAddress - uintptr(anchor) + uintptr(texts.Addr)
	at := bytes.Index(unsafe.Slice((*byte)(pointer(start)), texts.Size), []byte(threadStatistics))
	if at < 0 {
		return nil
	}
	first := (*byte)(pointer(start + uintptr(at) + 1))
	page := pageOf(unsafe.Pointer(first))
	if err := unix.Mprotect(page, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return fmt.Errorf("hide %s from the engine: %w", threadStatistics[1:], err)
	}
	*first = 0
	return unix.Mprotect(page, unix.PROT_READ)
}

// anchorOf returns the value of anchorSymbol.
func anchorOf(file *elf.File) (uint64, error) {
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return 0, err
	}
	for _, symbol := range symbols {
		if symbol.Name == anchorSymbol {
			return symbol.Value, nil
		}
	}
	return 0, fmt.Errorf("the library has no symbol %s", anchorSymbol)
}

// pageOf returns the memory page that contains an address.
func pageOf(address unsafe.Pointer) []byte {
	size := uintptr(os.Getpagesize())
	return unsafe.Slice((*byte)(pointer(uintptr(address)&^(size-1))), size)
}
