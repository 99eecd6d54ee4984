package libchdb

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

// failStopWriteAddress is the address of the function failStopWrite, which is in assembly because the engine calls it from
// threads of its own, by C's rules. It does what write(2) does. When a file cannot be written it ends the process, with the
// exit status [embedded.WriteFailed] plus the error number, rather than return.
var failStopWriteAddress uintptr

// libcWrite is the C library's write, for failStopWrite.
var libcWrite uintptr

// stopOnFailedWrites has the process end at the first write to a file that fails.
//
// ClickHouse throws an exception when write(2) fails. libchdb's build of the same function
// (WriteBufferFromFileDescriptor::nextImpl) counts the error, leaves the loop and returns as if all were written, so a full
// disk leaves parts with holes that are committed and acknowledged, and whose sources are removed when they were merged. A
// process that ends before such a part is renamed into place leaves what a kill -9 leaves: all that was acknowledged.
//
// The library calls write through its procedure linkage table, so exchanging the address there reaches every caller in it.
func stopOnFailedWrites(path string, symbolAddress uintptr) error {
	offset, err := writeSlot(path)
	if err != nil {
		return fmt.Errorf("find the engine's calls of write: %w", err)
	}
	slot := pointer(symbolAddress + offset)
	expected, err := purego.Dlsym(purego.RTLD_DEFAULT, "write")
	if err != nil {
		return fmt.Errorf("find the C library's write: %w", err)
	}
	if *(*uintptr)(slot) != expected {
		return errors.New("find the engine's calls of write: they do not lead to the C library")
	}
	libcWrite = expected
	size := uintptr(os.Getpagesize())
	page := unsafe.Slice((*byte)(pointer(uintptr(slot)&^(size-1))), size)
	if err := unix.Mprotect(page, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return fmt.Errorf("redirect the engine's calls of write: %w", err)
	}
	*(*uintptr)(slot) = failStopWriteAddress
	return nil
}

// pointer is an address outside of Go's memory.
func pointer(address uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&address)) }

// anchorSymbol is the function from whose address the library's others are counted.
const anchorSymbol = "chdb_connect"

// writeSlot returns where the library keeps the address of write, as a distance from the anchor.
func writeSlot(path string) (uintptr, error) {
	file, err := elf.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return 0, err
	}
	var anchor, write uint64
	for i, symbol := range symbols {
		switch symbol.Name {
		case anchorSymbol:
			anchor = symbol.Value
		case "write":
			write = uint64(i) + 1 // DynamicSymbols leaves out the first, which is none
		}
	}
	section := file.Section(".rela.plt")
	if section == nil {
		return 0, errors.New("the library has no section .rela.plt")
	}
	relocations := make([]elf.Rela64, section.Size/uint64(unsafe.Sizeof(elf.Rela64{})))
	if err := binary.Read(section.Open(), file.ByteOrder, relocations); err != nil {
		return 0, err
	}
	for _, r := range relocations {
		if write != 0 && anchor != 0 && r.Info>>32 == write {
			return uintptr(r.Off - anchor), nil
		}
	}
	return 0, errors.New("the library does not import it")
}
