// Package setting reports wrong settings by their keys in the configuration.
package setting

import "fmt"

// Fault is a wrong setting.
type Fault struct {
	// Key is the setting as the configuration has it below the section that was checked, such as retry.schedule[2].
	Key  string
	Text string // never shows a secret
}

// Error implements error.
func (f *Fault) Error() string { return f.Key + ": " + f.Text }

// Faults collects wrong settings; errors.Join makes one error of them.
type Faults []error

// Unless adds a fault of a key unless the setting is right.
func (f *Faults) Unless(right bool, key, format string, args ...any) {
	if !right {
		*f = append(*f, &Fault{key, fmt.Sprintf(format, args...)})
	}
}

// Err adds an error as the fault of a key; nil adds nothing.
func (f *Faults) Err(key string, err error) {
	if err != nil {
		*f = append(*f, &Fault{key, err.Error()})
	}
}
