package sessionmgr

import (
	"encoding/json"
	"errors"
	"fmt"

	"weir/storage"
)

// CheckRecord says what is wrong with a record of one of this package's tables;
// nil for what is right and for tables of others. item is that of its storage.Key:
// the id in the log, the key in the table of sessions. Nothing is read but what is
// given.
func CheckRecord(table, item string, rec []byte) error {
	switch table {
	case tableLog:
		return checkLogRecord(item, rec)
	case tableCursor:
		if new(ledger).decode(rec) != nil {
			return fmt.Errorf("sessionmgr: the cursor can't be read: %d bytes, %s", len(rec), head(rec))
		}
	case tablePrefs:
		var p ArchivePrefs
		if err := json.Unmarshal(rec, &p); err != nil {
			return fmt.Errorf("sessionmgr: archive preferences: %w", err)
		}
		return p.Validate()
	case tableAttributes:
		_, err := parseAttributes(rec)
		return err
	case tableSession:
		return checkSessionRecord(item, rec)
	case tableSentence:
		_, err := readSentence(rec)
		return err
	}
	return nil
}

// ItemName is how an item of one of this package's tables is written for people:
// as the archive names a record of the log, and by tag and kind what is kept of a
// session.
func ItemName(table, item string) string {
	switch table {
	case tableLog:
		if id, err := storage.LogID(item); err == nil {
			return ArchiveID(id)
		}
	case tableSession:
		if tag, kind, no, ok := splitKey(item); ok {
			name := fmt.Sprintf("%016x %s", tag, kindName(kind))
			if kind == keyMap {
				name += fmt.Sprintf(" %d", no)
			}
			return name
		}
	}
	return fmt.Sprintf("%q", item)
}

// head shows how a record begins.
func head(rec []byte) string { return fmt.Sprintf("% x", rec[:min(len(rec), 16)]) }

func kindName(kind byte) string {
	switch kind {
	case keySnapshot:
		return "snapshot"
	case keyNumbers:
		return "numbers"
	case keyMap:
		return "map"
	case keyEnded:
		return "ended"
	}
	return fmt.Sprintf("kind %#x", kind)
}

func checkLogRecord(item string, rec []byte) error {
	if id, err := storage.LogID(item); err != nil || id == 0 {
		return fmt.Errorf("sessionmgr: %q is no id of a log", item)
	}
	r, err := viewRecord(rec)
	if err != nil {
		return err
	}
	if r.flags&^(recordOutgoing|recordHidden|recordPrivate) != 0 {
		return fmt.Errorf("sessionmgr: log record with the flags %#x, which this program doesn't know", r.flags)
	}
	if _, err := r.parse(); err != nil {
		return fmt.Errorf("sessionmgr: log record of %s: %w", r.at.UTC().Format("2006-01-02T15:04:05Z"), err)
	}
	return nil
}

func checkSessionRecord(item string, rec []byte) error {
	tag, kind, no, ok := splitKey(item)
	if !ok || (kind == keyMap) != (len(item) == 13) {
		return fmt.Errorf("sessionmgr: %q is no key of a session's record", item)
	}
	switch kind {
	case keySnapshot:
		_, err := UnmarshalSnapshot(rec)
		return err
	case keyNumbers:
		x := &stored{tag: tag, numbers: rec}
		if x.restore(&Session{sm: new(acks)}) != nil {
			return fmt.Errorf("sessionmgr: the numbers can't be read: %d bytes, %s", len(rec), head(rec))
		}
	case keyMap:
		if _, ok := readMap(no, rec); !ok {
			return errors.New("sessionmgr: the map of numbers can't be read")
		}
	case keyEnded:
		if _, _, _, ok := readEnded(rec); !ok {
			return errors.New("sessionmgr: what is remembered of an ended session can't be read")
		}
	default:
		return fmt.Errorf("sessionmgr: a session's record of a kind that this program doesn't know: %#x", kind)
	}
	return nil
}
