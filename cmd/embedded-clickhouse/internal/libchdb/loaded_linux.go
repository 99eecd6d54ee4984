package libchdb

import (
	"debug/elf"
	"fmt"
	"os"
	"slices"
	"unsafe"
)

// loaded is the library's file, and where it is in memory.
type loaded struct {
	*elf.File
	base uintptr
}

// adapt changes the library in memory. anchor is the address of anchorSymbol.
func adapt(path string, anchor uintptr) error {
	file, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(symbols, func(s elf.Symbol) bool { return s.Name == anchorSymbol })
	if i < 0 {
		return fmt.Errorf("the library has no symbol %s", anchorSymbol)
	}
	l := &loaded{file, anchor - uintptr(symbols[i].Value)}
	hideThreadStatistics(l)
	return stopOnFailedWrites(l)
}

// at returns where in memory an address of the file is.
func (l *loaded) at(address uint64) unsafe.Pointer {
	p := l.base + uintptr(address) // outside of Go's memory
	return *(*unsafe.Pointer)(unsafe.Pointer(&p))
}

// pageOf returns the memory page that contains an address.
func pageOf(address unsafe.Pointer) []byte {
	size := os.Getpagesize()
	return unsafe.Slice((*byte)(unsafe.Add(address, -int(uintptr(address)%uintptr(size)))), size)
}
