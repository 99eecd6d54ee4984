package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"

	"hooktape/internal/redact"
)

var (
	// ErrRefused reports that the server will never accept these rows; sending them again cannot help.
	ErrRefused = errors.New("ClickHouse refuses the rows")
	// ErrUnavailable reports that there is no answer, or one that asks to try again later.
	ErrUnavailable = errors.New("ClickHouse is not available")
	// ErrUnauthorized reports that the server answers and rejects the user or password.
	ErrUnauthorized = errors.New("ClickHouse refuses the user or password")
	// ErrDamaged reports that stored rows cannot be read.
	ErrDamaged = errors.New("ClickHouse cannot read a part")
	// ErrNotFound reports that there is no such row.
	ErrNotFound = errors.New("not found")
)

// explain wraps an error of the driver with the operation and with the package's error that applies.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	class := classify(err)
	err = redact.WithoutURL(err) // the URL contains the query's parameters
	if class != nil {
		return fmt.Errorf("%s: %w: %w", doing, class, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func classify(err error) error {
	if exception, ok := errors.AsType[*clickhouse.Exception](err); ok {
		return classifyCode(exception.Code)
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, clickhouse.ErrAcquireConnTimeout) || errors.Is(err, context.DeadlineExceeded) {
		return ErrUnavailable
	}
	return nil
}

// classifyCode sorts ClickHouse's error codes (src/Common/ErrorCodes.cpp). Codes that are not listed stay unclassified
// and are tried again: once a person has fixed a full disk, a missing table or a missing right, the server accepts the
// rows.
func classifyCode(code int32) error {
	switch code {
	case 6, // CANNOT_PARSE_TEXT
		26,  // CANNOT_PARSE_QUOTED_STRING
		27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
		38,  // CANNOT_PARSE_DATE
		41,  // CANNOT_PARSE_DATETIME
		69,  // ARGUMENT_OUT_OF_BOUND
		70,  // CANNOT_CONVERT_TYPE
		72,  // CANNOT_PARSE_NUMBER
		117, // INCORRECT_DATA
		128, // TOO_LARGE_ARRAY_SIZE
		131, // TOO_LARGE_STRING_SIZE
		321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
		349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
		469: // VIOLATED_CONSTRAINT
		return ErrRefused
	case 192, 193, 194, 516: // UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, AUTHENTICATION_FAILED
		return ErrUnauthorized
	case 3, // UNEXPECTED_END_OF_FILE
		159, // TIMEOUT_EXCEEDED
		202, // TOO_MANY_SIMULTANEOUS_QUERIES
		209, // SOCKET_TIMEOUT
		210, // NETWORK_ERROR
		236, // ABORTED
		241, // MEMORY_LIMIT_EXCEEDED
		242, // TABLE_IS_READ_ONLY
		252, // TOO_MANY_PARTS
		319, // UNKNOWN_STATUS_OF_INSERT
		999: // KEEPER_EXCEPTION
		return ErrUnavailable
	}
	return nil
}

// ClickHouse's error codes (src/Common/ErrorCodes.cpp).
const (
	codeTableExists      = 57
	codeUnknownTable     = 60
	codeSyntax           = 62
	codeUnknownDatabase  = 81
	codeUnknownSetting   = 115
	codeReadonly         = 164 // also of a setting that a profile with readonly=1 does not allow to change
	codeTableIsDropped   = 218
	codeForbiddenSetting = 452 // SETTING_CONSTRAINT_VIOLATION
	codeTableRenamed     = 517 // CANNOT_ASSIGN_ALTER: it was renamed during the statement
	codeTableReplaced    = 741 // TABLE_UUID_MISMATCH: another table has this name now
)

func hasCode(err error, codes ...int32) bool {
	exception, ok := errors.AsType[*clickhouse.Exception](err)
	return ok && slices.Contains(codes, exception.Code)
}
