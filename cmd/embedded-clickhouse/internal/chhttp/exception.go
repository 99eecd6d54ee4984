package chhttp

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// exception is an error in ClickHouse's form.
type exception struct {
	code int
	// text is the whole line: "Code: 60. DB::Exception: … (UNKNOWN_TABLE)".
	text string
}

func (e *exception) Error() string { return e.text }

// The codes of the exceptions that this package raises.
var (
	codeNotImplemented       = named{48, "NOT_IMPLEMENTED"}
	codeSyntaxError          = named{62, "SYNTAX_ERROR"}
	codeUnknownTypeOfQuery   = named{78, "UNKNOWN_TYPE_OF_QUERY"}
	codeUnknownFormat        = named{73, "UNKNOWN_FORMAT"}
	codeUnknownSetting       = named{115, "UNKNOWN_SETTING"}
	codeCannotDecompress     = named{271, "CANNOT_DECOMPRESS"}
	codeQueryTooLarge        = named{307, "QUERY_IS_TOO_LARGE"}
	codeRequiredPassword     = named{194, "REQUIRED_PASSWORD"}
	codeIntoOutfile          = named{358, "INTO_OUTFILE_NOT_ALLOWED"}
	codeAccessDenied         = named{497, "ACCESS_DENIED"}
	codeAuthenticationFailed = named{516, "AUTHENTICATION_FAILED"}
	codeUnknownException     = named{1002, "UNKNOWN_EXCEPTION"}
)

type named struct {
	code int
	name string
}

// errorf returns the exception that the engine would have raised with this code.
func (n named) errorf(format string, args ...any) error {
	return &exception{n.code, fmt.Sprintf("Code: %d. DB::Exception: %s (%s)", n.code, fmt.Sprintf(format, args...),
		n.name)}
}

var codePrefix = regexp.MustCompile(`^Code: (\d+)\.`)

// asException parses an exception of the engine, or wraps another error.
func asException(err error) *exception {
	var e *exception
	if errors.As(err, &e) {
		return e
	}
	text := strings.TrimSpace(err.Error())
	if match := codePrefix.FindStringSubmatch(text); match != nil {
		if code, err := strconv.Atoi(match[1]); err == nil {
			return &exception{code, text}
		}
	}
	return asException(codeUnknownException.errorf("%s.", strings.TrimSuffix(text, ".")))
}

// status returns the HTTP status: clients tell other errors apart by their codes.
func (e *exception) status() int {
	switch e.code {
	case codeRequiredPassword.code:
		return http.StatusUnauthorized
	case codeAuthenticationFailed.code, codeAccessDenied.code:
		return http.StatusForbidden
	}
	return http.StatusInternalServerError
}
