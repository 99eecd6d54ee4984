package harness

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// A process gets the time from the vDSO, code that the kernel maps into it. SetClock replaces that code in one process
// by a system call and the addition of an offset. So the wall clock of an unmodified program jumps. Its monotonic clock
// and the machine's clock do not.

// vdsoCode replaces a function of the vDSO. The offset in seconds follows the code, in 8 bytes; the code loads it
// relative to the next instruction.
type vdsoCode struct {
	name string
	code []byte
}

var vdsoCodes = []vdsoCode{
	{"__vdso_clock_gettime", []byte{
		0xb8, 0xe4, 0, 0, 0, 0x0f, 0x05, //           mov eax, 228; syscall
		0x85, 0xc0, 0x75, 0x13, //                    test eax, eax; jnz end
		0x85, 0xff, 0x74, 0x05, //                    test edi, edi; jz add        (CLOCK_REALTIME)
		0x83, 0xff, 0x05, 0x75, 0x0a, //              cmp edi, 5; jne end          (CLOCK_REALTIME_COARSE)
		0x48, 0x8b, 0x0d, 0x04, 0, 0, 0, 0x48, 0x01, 0x0e, // add: mov rcx, [offset]; add [rsi], rcx
		0xc3, //                                      end: ret
	}},
	{"__vdso_gettimeofday", []byte{
		0xb8, 0x60, 0, 0, 0, 0x0f, 0x05, //           mov eax, 96; syscall
		0x48, 0x85, 0xff, 0x74, 0x0a, //              test rdi, rdi; jz end
		0x48, 0x8b, 0x0d, 0x04, 0, 0, 0, 0x48, 0x01, 0x0f, // mov rcx, [offset]; add [rdi], rcx
		0xc3, //                                      end: ret
	}},
	{"__vdso_time", []byte{
		0xb8, 0xc9, 0, 0, 0, 0x0f, 0x05, //           mov eax, 201; syscall
		0x48, 0x03, 0x05, 0x09, 0, 0, 0, //           add rax, [offset]
		0x48, 0x85, 0xff, 0x74, 0x03, 0x48, 0x89, 0x07, // test rdi, rdi; jz end; mov [rdi], rax
		0xc3, //                                      end: ret
	}},
}

// SetClock sets the process's clock ahead of the machine's, or behind it if ahead is negative. It lasts until the
// process ends.
func (p *Process) SetClock(ahead time.Duration) error {
	if err := p.Freeze(); err != nil {
		return err
	}
	return errors.Join(setClock(p.command.Process.Pid, ahead), p.Thaw())
}

func setClock(pid int, ahead time.Duration) error {
	start, size, err := vdsoOf(pid)
	if err != nil {
		return err
	}
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("set a process's clock: %w", err)
	}
	defer mem.Close()
	image := make([]byte, size)
	if _, err := mem.ReadAt(image, start); err != nil {
		return fmt.Errorf("read the vDSO: %w", err)
	}
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return fmt.Errorf("read the vDSO: %w", err)
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return fmt.Errorf("read the vDSO: %w", err)
	}
	free := int64(len(bytes.TrimRight(image, "\x00"))+15) &^ 15 // the page is larger than the image
	for _, c := range vdsoCodes {
		for _, symbol := range symbols {
			if symbol.Name != c.name {
				continue
			}
			code := binary.LittleEndian.AppendUint64(bytes.Clone(c.code), uint64(int64(ahead/time.Second)))
			at := int64(symbol.Value)
			if target, set := jumpAt(image[at:], at); set {
				free = target // an earlier call put it there
			}
			if free+int64(len(code)) > int64(size) {
				return errors.New("set a process's clock: the vDSO has no room")
			}
			jump := binary.LittleEndian.AppendUint32([]byte{0xe9}, uint32(int32(free-at-5)))
			if _, err := mem.WriteAt(code, start+free); err != nil {
				return fmt.Errorf("write to the vDSO: %w", err)
			}
			if _, err := mem.WriteAt(jump, start+at); err != nil {
				return fmt.Errorf("write to the vDSO: %w", err)
			}
			free += int64(len(code)+15) &^ 15
		}
	}
	return nil
}

// jumpAt returns the target of the jump with which code begins, if it does.
func jumpAt(code []byte, at int64) (target int64, is bool) {
	if code[0] != 0xe9 {
		return 0, false
	}
	return at + 5 + int64(int32(binary.LittleEndian.Uint32(code[1:]))), true
}

func vdsoOf(pid int) (start, size int64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		var end int64
		if !strings.HasSuffix(line, "[vdso]\n") {
			continue
		}
		if _, err := fmt.Sscanf(line, "%x-%x", &start, &end); err != nil {
			return 0, 0, fmt.Errorf("read /proc/%d/maps: %w", pid, err)
		}
		return start, end - start, nil
	}
	return 0, 0, errors.New("the process has no vDSO")
}
