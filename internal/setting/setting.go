// Package setting reports invalid settings by their keys in the configuration, and reads files of settings that other
// programs write.
package setting

import "fmt"

// Fault is an invalid setting.
type Fault struct {
	// Key is the setting's key below the checked section of the configuration, such as retry.schedule[2].
	Key  string
	Text string // contains no secret
}

// Error implements error.
func (f *Fault) Error() string { return f.Key + ": " + f.Text }

// Faults collects invalid settings; errors.Join combines them.
type Faults []error

// Unless adds a fault for a key unless the setting is valid.
func (f *Faults) Unless(right bool, key, format string, args ...any) {
	if !right {
		*f = append(*f, &Fault{key, fmt.Sprintf(format, args...)})
	}
}

// Err adds an error as the fault for a key; nil adds nothing.
func (f *Faults) Err(key string, err error) {
	if err != nil {
		*f = append(*f, &Fault{key, err.Error()})
	}
}
