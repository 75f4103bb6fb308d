;;; emacs.el --- Drives Emacs' own completion with eglot -*- lexical-binding: t -*-

;; Types, completes as the key does, and compares the buffer.  Prints what it saw in lines that begin
;; with "seen: "; any failed expectation ends it with code 1.

(require 'cl-lib)
(require 'eglot)

(defun seen (format &rest arguments)
  (princ (concat "seen: " (apply #'format format arguments) "\n")))

(defun fail (format &rest arguments)
  (message "FAILED: %s\nbuffer:\n%s" (apply #'format format arguments) (buffer-string))
  (kill-emacs 1))

(defun expect (what got expected)
  (unless (equal got expected)
    (fail "%s: %S instead of %S" what got expected)))

(defun at (list &rest keys)
  "The value in nested property lists."
  (seq-reduce #'plist-get keys list))

(defun server ()
  (eglot-current-server))

(defun settle ()
  "Wait until the server computes nothing any more, and give its figures."
  (let (figures)
    (with-timeout (120 (fail "waited in vain for the server to finish"))
      (while (progn
               (setq figures (jsonrpc-request (server) :tabahead/stats nil))
               (> (at figures :generations :running) 0))
        (accept-process-output nil 0.02)))
    figures))

(defun edit (fixture)
  "Make a text the buffer's, with point at \"$0\"."
  (erase-buffer)
  (insert fixture)
  (search-backward "$0")
  (delete-char 2))

(defun complete ()
  "Press the key, and give whether there was something."
  (prog1 (call-interactively #'completion-at-point)
    ;; As Emacs does when it is idle.
    (eglot--signal-textDocument/didChange)))

(defun is-text (what expected)
  "Compare the buffer with a text in which \"$0\" is point."
  (let ((text (concat (buffer-substring-no-properties (point-min) (point)) "$0"
                      (buffer-substring-no-properties (point) (point-max)))))
    (expect what text expected)))

(defun completes (what fixture expected)
  (edit fixture)
  (unless (complete) (fail "%s: there is nothing" what))
  (is-text what expected)
  (seen "%s: all is where it should be" what))

(defun annotations ()
  "Each candidate at point, and what is beside it in a list of them."
  (cl-destructuring-bind (start end table &key annotation-function &allow-other-keys)
      (eglot-completion-at-point)
    (let* ((typed (buffer-substring-no-properties start end))
           (all (completion-all-completions typed table nil (length typed))))
      (when all (setcdr (last all) nil))
      (mapcar (lambda (candidate)
                (list (substring-no-properties candidate) (funcall annotation-function candidate)))
              all))))

(setq eglot-server-programs `((python-mode . (,(getenv "TABAHEAD") "lsp")))
      create-lockfiles nil
      make-backup-files nil)
;; Without a terminal the bell goes to standard output.
(advice-add 'ding :override #'ignore)
(find-file (getenv "FILE"))
(apply #'eglot--connect (eglot--guess-contact))
(expect "the server's name" (at (eglot--server-info (server)) :name) "tabahead")
(unless (plist-member (eglot--capabilities (server)) :completionProvider)
  (fail "the server does not complete"))
(seen "Emacs %s with eglot connected" emacs-version)

(defconst head "def area(width, height):
    return width * height


def print_area(width, height):
    result = area(width, height)
    print('the area is', result, 'and it is computed from the two sides of a thing')
    print('the width is', width)


def show_area(width, height):
")
(defconst call "    result = area(width, height)")
(defconst long "    print('the area is', result, 'and it is computed from the two sides of a thing')")

;; What a list of candidates shows.
(edit (concat head "    result = area(wi$0\n"))
(let ((shown (annotations)))
  (expect "the candidates" shown '(("width, height)" " tabahead")))
  (seen "a list of candidates has %s" (string-join (car shown))))

;; An accept, and the next one from what was computed ahead.
(let ((before (settle)))
  (unless (complete) (fail "there is nothing"))
  (is-text "after the word" (concat head call "$0\n"))
  (seen "the key put it after the word, and nothing is doubled")
  (let ((after (settle)))
    (expect "accepts" (at after :outcomes :accepted_all) (1+ (at before :outcomes :accepted_all)))
    (unless (complete) (fail "there is no next line"))
    (is-text "the next line" (concat head call "\n" long "$0\n"))
    (let ((last (settle)))
      (expect "accepts" (at last :outcomes :accepted_all) (1+ (at after :outcomes :accepted_all)))
      (expect "answers computed ahead" (at last :hits :speculated) (1+ (at after :hits :speculated)))))
  (seen "the next line, longer than its label, was computed ahead, and has its indentation"))

(completes "in brackets that are closed"
           (concat head "    result = area($0)\n")
           (concat head call "$0\n"))
(completes "after a word in brackets that are closed"
           (concat head "    result = area(wi$0)\n")
           (concat head call "$0\n"))
(completes "after letters of several units"
           (concat head "    größe𝒳 = area(wi$0\n")
           (concat head "    größe𝒳 = area(width, height)$0\n"))

;; Nothing but a bracket is worth a candidate, and within a word clients differ.
(dolist (place '("    result = area(width, height$0\n" "    result = area(wid$0th\n"))
  (edit (concat head place))
  (complete)
  (is-text "where nothing is offered" (concat head place)))
(seen "for a bracket alone, and within a word, the key does nothing")

(edit (concat head call "$0\n"))
(set-buffer-file-coding-system 'utf-8-dos)
(complete)
(save-buffer)
(let ((file (getenv "FILE")))
  (with-temp-buffer
    (insert-file-contents-literally file)
    (expect "the file" (buffer-string)
            (replace-regexp-in-string "\n" "\r\n" (concat head call "\n" long "\n")))))
(seen "a file of CRLF stayed one")

;; Emacs kills the process as soon as the request is answered.
(let ((server (server)))
  (eglot-shutdown server)
  (expect "whether the server runs" (jsonrpc-running-p server) nil))
(seen "the server answered that it shuts down, and is gone")
