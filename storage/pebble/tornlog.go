package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// The end of the newest log may be torn: whoever cuts the power leaves some of
// what was written since the last sync, in any order. Only what was synced must be there,
// and each chunk of a log says how far the log was synced when it was written.
//
// Pebble takes a bad chunk for damage if one in a later block says that it was
// synced. In the last block, 32 KiB, it doesn't look. Here all that follows is looked at.
//
// With durability process nothing is synced, but Pebble thinks so, and after a
// power cut would refuse the log. So its reader is shown such a log only up to the
// first bad record: everything up to some point, as that durability promises.

// The layout of a log: blocks of chunks of records, none across two blocks. A chunk
// begins with its checksum (4 bytes), length (2), encoding (1), number of the log (4)
// and how far the log was synced (8).
const (
	logBlock     = 32 << 10
	chunkHeader  = 19
	firstWALSync = 9 // encodings of chunks with this header
	lastWALSync  = 12
	logTrailer   = "\x00\x00\x00\x00\x00\x00\x05" // and the number after the log's: it was closed
	sumMask      = 0xa282ead8                     // what the checksum is masked with
)

// badRecord begins no record of a log whatever its place in a block, and is no clean end.
const badRecord = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"

// logEnd is how a log ends.
type logEnd struct {
	good   int64 // the end of the last of the good records at its beginning
	torn   bool  // it goes on with something that is no record
	bad    int64 // where
	synced bool  // a later chunk says that bad was synced
	closed bool  // the log was closed
}

// Open implements vfs.FS.
func (f *fence) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.Open(name, opts...)
	if errors.Is(err, fs.ErrNotExist) && f.missing != nil && kindOf(name) != vital {
		f.missing(f.FS.PathBase(name))
	}
	if err != nil || kindOf(name) != wal {
		return file, err
	}
	end, err := endOfLog(file, f.FS.PathBase(name))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if end.synced && !f.process {
		return nil, fmt.Errorf("%w: the log %s is damaged at byte %d: later records say that it was synced",
			pebble.ErrCorruption, name, end.bad)
	}
	file, err = f.FS.Open(name, opts...)
	if err != nil || !end.torn || !f.process {
		return file, err
	}
	return &tornLog{File: file, r: io.MultiReader(io.LimitReader(file, end.good), strings.NewReader(badRecord))}, nil
}

// endOfLog reads a log.
func endOfLog(file vfs.File, name string) (end logEnd, err error) {
	var num uint64
	if _, err := fmt.Sscanf(name, "%d", &num); err != nil {
		return end, fmt.Errorf("the log %s has no number: %w", name, err)
	}
	r := numbered(record.NewReader, file, num)
	for {
		rec, err := r.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, rec)
		}
		switch {
		case err == nil:
			end.good = r.Offset()
			continue
		case errors.Is(err, io.EOF):
		case errors.Is(err, record.ErrUnexpectedEOF), errors.Is(err, record.ErrInvalidChunk), errors.Is(err, record.ErrZeroedChunk):
			end.torn = true
		default:
			return end, err
		}
		rest, err := io.ReadAll(io.NewSectionReader(file, end.good, 1<<40))
		end.look(rest, uint32(num))
		return end, err
	}
}

// numbered calls a function with a number of a type that only Pebble can name.
func numbered[N ~uint64](newReader func(io.Reader, N) *record.Reader, r io.Reader, num uint64) *record.Reader {
	return newReader(r, N(num))
}

// look searches what follows the good records for the first bad chunk, and for chunks after it.
func (end *logEnd) look(rest []byte, num uint32) {
	trailer := string(binary.LittleEndian.AppendUint32([]byte(logTrailer), num+1))
	end.closed = strings.Contains(string(rest), trailer)
	if !end.torn {
		return
	}
	at := 0
	for {
		if left := logBlock - (int(end.good)+at)%logBlock; left < chunkHeader {
			at += left
		}
		n, _ := chunkAt(rest, at, num)
		if n == 0 {
			break
		}
		at += n // the beginning of a record that the bad chunk is part of
	}
	end.bad = end.good + int64(at)
	for ; at+chunkHeader <= len(rest); at++ {
		if n, synced := chunkAt(rest, at, num); n > 0 && synced > uint64(end.bad) {
			end.synced = true
			return
		}
	}
}

// chunkAt returns the size of the chunk at b[at:] and how far it says the log was synced, 0 if there is no whole chunk.
func chunkAt(b []byte, at int, num uint32) (size int, synced uint64) {
	if at+chunkHeader > len(b) {
		return 0, 0
	}
	h := b[at:]
	size = chunkHeader + int(binary.LittleEndian.Uint16(h[4:]))
	if h[6] < firstWALSync || h[6] > lastWALSync || binary.LittleEndian.Uint32(h[7:]) != num || size > len(h) {
		return 0, 0
	}
	sum := crc32.Checksum(h[6:size], crc32.MakeTable(crc32.Castagnoli))
	if (sum>>15|sum<<17)+sumMask != binary.LittleEndian.Uint32(h) {
		return 0, 0
	}
	return size, binary.LittleEndian.Uint64(h[11:])
}

// tornLog is a log without what follows its first bad record.
type tornLog struct {
	vfs.File
	r io.Reader
}

// Read implements vfs.File.
func (t *tornLog) Read(p []byte) (int, error) { return t.r.Read(p) }
