// Package redact removes secrets from text.
package redact

import (
	"errors"
	"net/url"
)

// Mask replaces a secret.
const Mask = "***"

// WithoutURL returns an error of net/http or net/url without the URL, which may contain a secret.
func WithoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
