package config

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// Secret reads a secret from a file or, if file is empty, from an environment variable. No flag has the secret itself,
// because every user of a machine sees command lines. flag names the file's flag, for errors.
func Secret(flag, file, variable string) (string, error) {
	if file == "" {
		return os.Getenv(variable), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	secret := secretText(text)
	if secret == "" {
		return "", fmt.Errorf("%s: %s is empty", flag, file)
	}
	return secret, nil
}

// secretText returns the secret in a file's text, without the byte order mark and the line break that editors add.
func secretText(text []byte) string {
	return strings.TrimSpace(string(bytes.TrimPrefix(text, byteOrderMark)))
}

// byteOrderMark is what some editors write before UTF-8.
var byteOrderMark = []byte("\uFEFF")
