//! Real editors with the built program: Neovim, VS Code and Emacs.

mod emacs;
mod neovim;
mod vscode;
