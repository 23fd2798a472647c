package agent

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Editors and tools write in several steps: the policy is read when nothing
// has happened for quiet, at the latest after patience.
const (
	quiet    = 20 * time.Millisecond
	patience = 500 * time.Millisecond
	maxWatch = 4096 // directories
)

// debounce passes on one signal for a burst of pokes, until ctx is done.
func debounce(ctx context.Context, pokes <-chan struct{}, out chan<- struct{}) {
	var timer, limit <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-pokes:
			timer = time.After(quiet)
			if limit == nil {
				limit = time.After(patience)
			}
			continue
		case <-timer:
		case <-limit:
		}
		timer, limit = nil, nil
		select {
		case out <- struct{}{}:
		default: // one is waiting already
		}
	}
}

// watcher pokes when a file that matters may have changed. It watches
// directories, not files, because files are replaced.
type watcher struct {
	notify *fsnotify.Watcher
	poke   func()
	wanted chan wanted
	ignore string // the agent's own directory
}

// wanted is what matters: files by path, and everything in directories.
type wanted struct {
	files, dirs []string
	done        chan watched
}

// watched says what came of it.
type watched struct {
	added bool  // something is watched that was not before
	err   error // the first directory that could not be
}

func newWatcher(ignore string, poke func()) (*watcher, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	return &watcher{notify: n, poke: poke, wanted: make(chan wanted), ignore: abs(ignore)}, nil
}

// run watches until ctx is done.
func (w *watcher) run(ctx context.Context) {
	defer w.notify.Close()
	files, dirs := map[string]bool{}, map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case want := <-w.wanted:
			var did watched
			files, dirs, did = w.change(want)
			want.done <- did
		case e, ok := <-w.notify.Events:
			if ok && relevant(e.Name, files, dirs) {
				w.poke()
			}
		case _, ok := <-w.notify.Errors:
			if ok {
				w.poke() // an overflow lost something: look again
			}
		}
	}
}

// set replaces what is watched.
func (w *watcher) set(ctx context.Context, files, dirs []string) watched {
	want := wanted{files, dirs, make(chan watched, 1)}
	select {
	case w.wanted <- want:
		return <-want.done
	case <-ctx.Done():
		return watched{}
	}
}

func relevant(name string, files, dirs map[string]bool) bool {
	// Mounted ConfigMaps change by a link called ..data.
	return files[name] || dirs[filepath.Dir(name)] || filepath.Base(name) == "..data"
}

func (w *watcher) change(want wanted) (files, dirs map[string]bool, did watched) {
	files, dirs = map[string]bool{}, map[string]bool{}
	watch := map[string]bool{}
	for _, d := range want.dirs {
		for _, sub := range w.tree(abs(d)) {
			dirs[sub], watch[sub] = true, true
		}
		files[abs(d)], watch[filepath.Dir(abs(d))] = true, true
	}
	for _, f := range want.files {
		f = abs(f)
		files[f], watch[filepath.Dir(f)] = true, true
		if target, err := filepath.EvalSymlinks(f); err == nil {
			files[target], watch[filepath.Dir(target)] = true, true
		}
	}
	for _, old := range w.notify.WatchList() {
		if !watch[old] {
			_ = w.notify.Remove(old) // it may have gone by itself
		}
		delete(watch, old)
	}
	for dir := range watch {
		if err := w.notify.Add(dir); err != nil {
			if did.err == nil {
				did.err = err
			}
			continue
		}
		did.added = true
	}
	return files, dirs, did
}

// tree lists a directory and what is below it, as the policy reader sees it.
func (w *watcher) tree(root string) []string {
	var out []string
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || !entry.IsDir():
			return nil // the reader reports what cannot be read
		case path == w.ignore || path != root && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case len(out) == maxWatch:
			return fs.SkipAll
		}
		out = append(out, path)
		return nil
	})
	return out
}

// abs makes a path what the events call it.
func abs(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return filepath.Clean(path)
}
