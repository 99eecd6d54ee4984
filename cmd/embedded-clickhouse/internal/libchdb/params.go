package libchdb

import (
	"runtime"
	"unsafe"
)

// params is a map of parameters laid out as the four parallel arrays that the C interface takes.
type params struct {
	names, nameLens, values, valueLens unsafe.Pointer
	count                              uintptr
	pinner                             runtime.Pinner
}

func newParams(m map[string]string) *params {
	p := &params{count: uintptr(len(m))}
	if len(m) == 0 {
		return p
	}
	var names, values []unsafe.Pointer
	var nameLens, valueLens []uintptr
	for name, value := range m {
		names, nameLens = append(names, p.pin(name)), append(nameLens, uintptr(len(name)))
		values, valueLens = append(values, p.pin(value)), append(valueLens, uintptr(len(value)))
	}
	p.names, p.nameLens = unsafe.Pointer(&names[0]), unsafe.Pointer(&nameLens[0])
	p.values, p.valueLens = unsafe.Pointer(&values[0]), unsafe.Pointer(&valueLens[0])
	for _, array := range []unsafe.Pointer{p.names, p.nameLens, p.values, p.valueLens} {
		p.pinner.Pin(array)
	}
	return p
}

// pin returns the address of a copy of s that stays where it is until release. The copy ends in a NUL byte, so that the
// empty string has an address too.
func (p *params) pin(s string) unsafe.Pointer {
	bytes := append([]byte(s), 0)
	p.pinner.Pin(&bytes[0])
	return unsafe.Pointer(&bytes[0])
}

func (p *params) release() { p.pinner.Unpin() }
