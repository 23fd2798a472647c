package lab

// Error is a reason why a lab cannot be made, in words for the person at the
// terminal: what is wrong, and what to do about it.
type Error struct {
	What string
	Do   string
}

// Error renders both on one line.
func (e *Error) Error() string { return e.What + "; " + e.Do }
