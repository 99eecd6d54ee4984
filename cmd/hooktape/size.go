package main

import (
	"fmt"
	"strconv"
	"strings"
)

// size is a number of bytes, written as 1048576, 64KiB, 8MiB or 10GiB.
type size int64

var units = []struct {
	suffix string
	factor int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"B", 1}, {"", 1}}

// UnmarshalYAML reads a size.
func (s *size) UnmarshalYAML(data []byte) error {
	text := strings.Trim(strings.TrimSpace(string(data)), `"'`)
	for _, u := range units {
		if digits, ok := strings.CutSuffix(text, u.suffix); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
			if err != nil || n < 0 || n > (1<<62)/u.factor {
				break
			}
			*s = size(n * u.factor)
			return nil
		}
	}
	return fmt.Errorf("%q is no size such as 512KiB, 8MiB or 10GiB", text)
}
