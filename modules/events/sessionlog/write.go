package sessionlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"weir/modules/events"
)

// atOnce is how many events are written by one call.
const atOnce = 256

// file is the log's file while it is open.
type file struct {
	f    *os.File
	size int64
}

// open opens or makes the file, for its owner only. A line that was cut off, by a
// full disk or a power cut, is ended: it spoils no other.
func open(name string) (*file, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	x := &file{f: f, size: fi.Size()}
	if last := make([]byte, 1); x.size > 0 {
		if _, err = f.ReadAt(last, x.size-1); err == nil && last[0] != '\n' {
			err = x.write([]byte("\n"))
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return x, nil
}

func (x *file) write(b []byte) error {
	n, err := x.f.Write(b)
	x.size += int64(n)
	return err
}

// run is the writer.
func (l *Log) run(ctx context.Context) {
	defer close(l.done)
	for {
		some := l.queue.Take(ctx, atOnce)
		if len(some) == 0 {
			break
		}
		l.mu.Lock()
		l.took(some)
		l.mu.Unlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.close()
}

// took writes events that were taken from the queue. What goes wrong is told once,
// until it goes well again. Needs mu, as all below.
func (l *Log) took(some []events.Event) {
	done, err := l.write(some)
	l.written.Add(float64(done))
	if err == nil {
		l.failing = false
		return
	}
	l.queue.Lost(some[done:])
	l.close()
	if !l.failing {
		l.o.Log.Error("the log of sessions can't be written: events get lost until it can", "file", l.o.File, "err", err)
	}
	l.failing = true
}

func (l *Log) close() {
	if l.file == nil {
		return
	}
	if err := l.file.f.Close(); err != nil {
		l.o.Log.Error("the log of sessions was not closed well", "file", l.o.File, "err", err)
	}
	l.file = nil
}

// open makes sure that there is a file.
func (l *Log) open() (err error) {
	if l.file == nil {
		l.file, err = open(l.o.File)
	}
	return err
}

// write writes events, turning the file over where it is full, and returns how many
// are written for sure.
func (l *Log) write(some []events.Event) (done int, err error) {
	var b []byte
	for i, e := range some {
		line, err := json.Marshal(e)
		if err != nil { // never: an Event has nothing that can't be marshalled
			return done, err
		}
		if err := l.open(); err != nil {
			return done, err
		}
		if size := l.file.size + int64(len(b)); l.o.MaxSize > 0 && size > 0 && size+int64(len(line))+1 > l.o.MaxSize {
			if err := l.file.write(b); err != nil {
				return done, err
			}
			done, b = i, b[:0]
			if err := l.turnOver(); err != nil {
				return done, err
			}
		}
		b = append(append(b, line...), '\n')
	}
	if err := l.file.write(b); err != nil {
		return done, err
	}
	return len(some), nil
}

// turnOver moves the files one number on and begins a new one.
func (l *Log) turnOver() error {
	l.close()
	for i := l.o.Keep; i > 0; i-- {
		from := l.o.File
		if i > 1 {
			from = fmt.Sprintf("%s.%d", l.o.File, i-1)
		}
		if err := os.Rename(from, fmt.Sprintf("%s.%d", l.o.File, i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return l.open()
}
