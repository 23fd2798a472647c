package artifact

import (
	"errors"

	"golang.org/x/sys/unix"
)

// exchange makes two folders change places, in one step where the file system
// can do that.
func exchange(stage, dir string) error {
	err := unix.Renameat2(unix.AT_FDCWD, stage, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return exchangeInSteps(stage, dir)
	}
	return err
}
