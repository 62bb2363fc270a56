"""Writes and reads formats of the standard library."""
import codecs
import configparser
import contextlib
import csv
import dbm.dumb
import fileinput
import io
import json
import linecache
import logging
import logging.handlers
import os
import pickle
import plistlib
import shelve
import tokenize
import tomllib
import wave
import xml.etree.ElementTree as ET

DATA = {"a": [1, 2.5, {"b": "ü"}], "c": None}


def dumped():
    with open("f.json", "w", encoding="utf-8") as file:
        json.dump(DATA, file, ensure_ascii=False, indent=1)
    with open("f.json", encoding="utf-8") as file, open("f.json", "rb") as binary:
        said = [json.load(file), json.load(binary) == DATA, read("f.json")]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with open("f.pickle", "wb") as file:
            pickle.dump(DATA, file, protocol)
            pickle.dump([1] * 100_000, file, protocol)
            pickle.dump(bytes(200_000), file, protocol)
        with open("f.pickle", "rb") as file:
            said += [pickle.load(file), len(pickle.load(file)), len(pickle.load(file)), attempt(pickle.load, file)]
    with open("f.plist", "wb") as file:
        plistlib.dump({"a": [1, "ü"]}, file)
    with open("f.plist", "rb") as file:
        return *said, plistlib.load(file)


def rows():
    table = [["n", "text"], ["1", "a,b"], ["2", 'quoted "x"\nline'], ["3", "ü"]]
    with open("f.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(table)
    with open("f.csv", newline="", encoding="utf-8") as file:
        said = [read("f.csv"), list(csv.reader(file)) == table, file.seek(0), list(csv.DictReader(file))]
    with open("f.csv", "a", newline="") as file:
        writer = csv.DictWriter(file, ["n", "text"], delimiter=";")
        writer.writeheader()
        writer.writerow({"n": 4, "text": "x;y"})
    with open("f.csv") as file:
        return *said, csv.Sniffer().sniff(file.readline() * 3).delimiter, read("f.csv")


def settings():
    config = configparser.ConfigParser()
    config["section"] = {"key": "value", "number": "3"}
    with open("f.ini", "w") as file:
        config.write(file)
    other = configparser.ConfigParser()
    said = [other.read(["f.ini", "missing.ini"]), other.getint("section", "number"), read("f.ini"), attempt(other.read_file, open("f.ini"))]
    write("f.toml", "a = 1\n[b]\nc = 'ü'\n")
    with open("f.toml", "rb") as file:
        return *said, tomllib.load(file)


def markup():
    ET.ElementTree(ET.fromstring("<a><b x='1'>ü</b></a>")).write("f.xml", encoding="utf-8", xml_declaration=True)
    said = [read("f.xml"), ET.parse("f.xml").getroot()[0].text, [event for event, _ in ET.iterparse("f.xml")], attempt(ET.parse, "missing.xml")]
    return said


def logs():
    log = logging.getLogger("files")
    log.propagate = False
    said = []
    for handler in (logging.FileHandler("app.log"), logging.handlers.RotatingFileHandler("rotated.log", maxBytes=50, backupCount=2)):
        log.addHandler(handler)
        for number in range(5):
            log.error("message number %d is here", number)
        log.removeHandler(handler)
        said.append(handler.close())
    return said, read("app.log"), sorted(os.listdir()), read("rotated.log"), read("rotated.log.1")


def lines():
    write("in.txt", "one\ntwo\n")
    said = [list(fileinput.input(["in.txt", "in.txt"])), list(fileinput.input("in.txt", openhook=fileinput.hook_encoded("utf-8")))]
    with fileinput.input("in.txt", inplace=True, backup=".bak") as file:
        for line in file:
            print(line.upper(), end="")
    said += [read("in.txt"), read("in.txt.bak"), linecache.getline("in.txt", 2), linecache.getlines("missing")]
    write("source.py", "# -*- coding: latin-1 -*-\nx = 1\n")
    with tokenize.open("source.py") as file, open("source.py", "rb") as binary:
        said += [file.encoding, file.read(), [token.string for token in tokenize.tokenize(binary.readline)][:6]]
    return said


def stores():
    """A default `shelve` is a file that C code opens, so this is the one that Python writes itself."""
    with dbm.dumb.open("store", "c") as store:
        store["key"] = "value"
        store["gone"] = "x"
        del store["gone"]
    with dbm.dumb.open("store") as store:
        said = [dict(store)]
    with shelve.Shelf(dbm.dumb.open("shelf", "c"), writeback=True) as shelf:
        shelf["list"] = [1]
        shelf["list"].append(2)
    with shelve.Shelf(dbm.dumb.open("shelf", "r")) as shelf:
        said += [dict(shelf)]
    return *said, sorted(os.listdir())


def others():
    with codecs.open("utf16", "w", "utf-16") as file:
        file.write("äx")
    said = [codecs.open("utf16", encoding="utf-16").read(), read("utf16"), io.open("utf16", encoding="utf-16").read()]
    with wave.open("f.wav", "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", None))
        sound.writeframes(b"\0\1" * 100)
    with wave.open("f.wav") as sound:
        said += [sound.getnframes(), sound.readframes(3)]
    with open("printed", "w") as file, contextlib.redirect_stdout(file):
        print("redirected")
    return *said, read("printed")


def main():
    return observe(dumped, rows, settings, markup, logs, lines, stores, others)
