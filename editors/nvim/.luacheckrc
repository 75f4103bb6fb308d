-- Neovim runs Lua in LuaJIT, and everything of its own is in `vim`, some of which is there to be assigned.
std = 'luajit'
globals = { 'vim' }
max_line_length = 120
