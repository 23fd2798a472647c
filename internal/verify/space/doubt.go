package space

// doubt is how far a path has come towards being ambiguous, which it is for
// good at doubted: a "//", a backslash, a segment "." or ".." behind which a
// slash or the end comes, or a percent-encoded byte that a server may take for
// the byte itself: a slash, a backslash, or one that is unreserved and so need
// not be encoded (RFC 3986, section 2.3).
type doubt uint8

const (
	segmentStart doubt = iota
	oneDot
	twoDots
	inside
	percent
	percentTwo // "%2" so far, and so on
	percentThree
	percentFour
	percentFive
	percentSix
	percentSeven
	doubted
)

// seconds are, behind "%2" to "%7", the digits that make a disguise: -./ for
// "%2", 0-9 for "%3", A-O for "%4", P-Z, backslash and _ for "%5", a-o for "%6",
// p-z and ~ for "%7".
var seconds = [...]string{"def", "0123456789", "123456789abcdef", "0123456789acf", "123456789abcdef", "0123456789ae"}

// next returns the state behind a byte.
func (d doubt) next(b byte) doubt {
	switch {
	case d == doubted, b == '\\':
		return doubted
	case b == '/':
		if d == segmentStart || d.dots() {
			return doubted
		}
		return segmentStart
	case b == '%':
		return percent
	case d == percent && b >= '2' && b <= '7':
		return percentTwo + doubt(b-'2')
	case d >= percentTwo && d <= percentSeven && isOneOf(b, seconds[d-percentTwo]):
		return doubted
	case d == segmentStart && b == '.':
		return oneDot
	case d == oneDot && b == '.':
		return twoDots
	}
	return inside
}

// isOneOf compares a hexadecimal digit of either case with those in lower case.
func isOneOf(digit byte, digits string) bool {
	if digit >= 'A' && digit <= 'F' {
		digit += 'a' - 'A'
	}
	for i := range len(digits) {
		if digits[i] == digit {
			return true
		}
	}
	return false
}

// dots reports whether the segment so far is "." or "..".
func (d doubt) dots() bool { return d == oneDot || d == twoDots }
