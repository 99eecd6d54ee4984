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

// statuses maps exception codes to HTTP statuses as ClickHouse does; all others are 500.
var statuses = func() map[int]int {
	m := map[int]int{194: http.StatusUnauthorized, 307: http.StatusRequestEntityTooLarge, 48: http.StatusNotImplemented,
		159: http.StatusRequestTimeout, 209: http.StatusServiceUnavailable, 439: http.StatusServiceUnavailable,
		202: http.StatusServiceUnavailable, 381: http.StatusLengthRequired}
	for status, codes := range map[int][]int{
		http.StatusForbidden: {192, 193, 497, 516},
		http.StatusBadRequest: {6, 25, 26, 27, 36, 38, 41, 53, 62, 69, 72, 117, 130, 167, 168, 271, 321, 427, 441, 456,
			457, 675, 676},
		http.StatusNotFound: {46, 47, 50, 56, 60, 63, 73, 78, 81, 99, 115, 511},
	} {
		for _, code := range codes {
			m[code] = status
		}
	}
	return m
}()

func (e *exception) status() int {
	if status, ok := statuses[e.code]; ok {
		return status
	}
	return http.StatusInternalServerError
}
