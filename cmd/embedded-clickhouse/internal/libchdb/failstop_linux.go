package libchdb

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

// failStopWriteAddress is the address of the function failStopWrite, which is in assembly because the engine calls it
// from threads of its own, by C's rules. It does what write(2) does. When a file cannot be written it ends the process,
// with the exit status [embedded.WriteFailed] plus the error number, rather than return.
var failStopWriteAddress uintptr

// libcWrite is the C library's write, for failStopWrite.
var libcWrite uintptr

// stopOnFailedWrites has the process end at the first write to a file that fails.
//
// ClickHouse throws an exception when write(2) fails. libchdb's build of the same function
// (WriteBufferFromFileDescriptor::nextImpl) counts the error, leaves the loop and returns as if all were written, so a
// full disk leaves parts with holes that are committed and acknowledged, and whose sources are removed when they were
// merged. A process that ends before such a part is renamed into place leaves the state of a kill -9: everything
// acknowledged.
//
// The library calls write through its procedure linkage table, so exchanging the address there reaches every caller in
// it.
func stopOnFailedWrites(l *loaded) error {
	at, err := writeSlot(l.File)
	if err != nil {
		return fmt.Errorf("find the engine's calls of write: %w", err)
	}
	slot := l.at(at)
	expected, err := purego.Dlsym(purego.RTLD_DEFAULT, "write")
	if err != nil {
		return fmt.Errorf("find the C library's write: %w", err)
	}
	if *(*uintptr)(slot) != expected {
		return errors.New("find the engine's calls of write: they do not lead to the C library")
	}
	libcWrite = expected
	if err := unix.Mprotect(pageOf(slot), unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return fmt.Errorf("redirect the engine's calls of write: %w", err)
	}
	*(*uintptr)(slot) = failStopWriteAddress
	return nil
}

// writeSlot returns the place where the library keeps the address of write.
func writeSlot(file *elf.File) (uint64, error) {
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return 0, err
	}
	write := slices.IndexFunc(symbols, func(s elf.Symbol) bool { return s.Name == "write" })
	section := file.Section(".rela.plt")
	if section == nil {
		return 0, errors.New("the library has no section .rela.plt")
	}
	relocations := make([]elf.Rela64, section.Size/uint64(unsafe.Sizeof(elf.Rela64{})))
	if err := binary.Read(section.Open(), file.ByteOrder, relocations); err != nil {
		return 0, err
	}
	for _, r := range relocations {
		if write >= 0 && r.Info>>32 == uint64(write)+1 { // DynamicSymbols omits the first symbol, which is empty
			return r.Off, nil
		}
	}
	return 0, errors.New("the library does not import it")
}
