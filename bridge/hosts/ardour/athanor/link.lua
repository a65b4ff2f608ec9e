-- SPDX-License-Identifier: MIT
-- The way to Athanor's bridge and back: requests and answers as small files in the spool folder, hello by OSC.
--
-- Every session is a client of its own, so a result finds the session that asked for it, whichever is open when it comes.

local PREFIX = "/athanor/v1/"
local ANSWER_S, LOOK_S, GREET_S = 3, 0.02, 10
local NEAR, WIDE, WIDE_EVERY = 20, 4000, 10
local KNOWN = math.huge
local connection, files, lines, memory = require "connection", require "files", require "lines", require "memory"
local link = {}
local looks, greeted, spools, unread = 0, {}, {}, {} -- these by session: when to say hello again, its spool folder, messages not handled yet

-- Write one request into the spool folder; its id. values: what follows the id.
local function send (verb, values)
  local kept = memory.change (function (state)
    state.count = state.count + 1
    return state
  end)
  local id = ("%s-%d"):format (kept.client, kept.count)
  assert (files.write (("%s/in/%08d.msg"):format (spools[Session:path ()], kept.count),
                       lines.encode { PREFIX .. verb, id, table.unpack (values or {}) }))
  return id
end

local function greet ()
  local installed = files.read (ARDOUR.user_config_directory (-1) .. "/athanor/home.txt") or ""
  local there, why = connection.read (installed:match ("^%s*(%S.-)%s*$"))
  if not there then
    error (why, 0)
  end
  local client = memory.state ().client
  spools[Session:path ()] = ("%s/spool/%s"):format (there.root, client)
  link.root = there.root
  local to = ARDOUR.LuaOSC.Address (("osc.udp://127.0.0.1:%d"):format (there.osc_port))
  to:send (PREFIX .. "hello", "sisiss", client, 0, "Ardour: " .. Session:name (), 1, "@via", "spool")
end

-- The first number from `from` to `to` that a message lies under, and its text.
local function message_from (from, to)
  for number = from, to do
    local path = ("%s/out/%06d.msg"):format (spools[Session:path ()], number)
    local text = files.read (path)
    if text then
      os.remove (path)
      return number, text
    end
  end
end

-- Messages that have come, in order, each as its fields. A message is removed when it is read.
--
-- A folder cannot be listed from here, so numbers are tried. Some are missing, because newer progress replaces older; and a
-- bridge that was started again begins behind what is unread, often at 1. wide: look further than a moment's messages reach.
local function arrived (wide)
  local next, came = memory.state ().next, {}
  local reach = wide and WIDE or NEAR
  while spools[Session:path ()] do
    local number, text = message_from (next, next + reach)
    if not number and #came == 0 then
      number, text = message_from (1, wide and next or math.min (next, NEAR))
    end
    if not number then
      break
    end
    came[#came + 1], next, reach = lines.decode (text), number + 1, NEAR
  end
  if #came > 0 then
    memory.change (function (kept)
      kept.next = next
    end)
  end
  return came
end

-- Make sure that Athanor is there and knows this session. What comes meanwhile is kept for `link.receive`.
function link.connect ()
  if memory.state ().client == "" then
    memory.change (function (kept)
      local mark = tostring ({}):match ("0x%x*(%x%x%x%x)") or "0000"
      kept.client = ("ardour-%08x%s"):format (os.time () % 0x100000000, mark)
    end)
  end
  greet ()
  local answered = false
  for look = 1, math.floor (ANSWER_S / LOOK_S) do
    for _, message in ipairs (arrived (look == 1)) do
      answered = answered or message[1] == PREFIX .. "ok" and message[3] == PREFIX .. "hello"
      unread[#unread + 1] = message
    end
    if answered then
      greeted[Session:path ()] = KNOWN
      return
    end
    ARDOUR.LuaAPI.usleep (LOOK_S * 1e6)
  end
  error ("Athanor does not answer. Start it with: athanor up", 0)
end

-- Say hello without waiting, until it is answered; nothing in a session that never asked for anything.
function link.wake ()
  local path = Session:path ()
  if os.time () >= (greeted[path] or 0) and memory.state ().client ~= "" then
    greeted[path] = os.time () + GREET_S
    pcall (greet)
  end
end

-- Ask for a render of `sent` clips (of clips.write); the request's id. verb: `preset` or `render/KIND`.
function link.submit (verb, values, sent)
  send ("clip/clear")
  for _, clip in ipairs (sent) do
    send ("clip/add", { clip.file, "@start", clip.start, "@start_rate", clip.rate, "@track", clip.track:name () })
  end
  local id = send (verb, values)
  memory.change (function (kept)
    table.insert (kept.open, id)
  end)
  return id
end

-- Ask for the end of the newest render that has not ended; the request's id.
function link.cancel ()
  local open = memory.state ().open
  if #open == 0 then
    error ("Nothing is being rendered for this session.", 0)
  end
  return send ("job/cancel", { open[#open] })
end

-- Say that the results of a job are in place, and where.
function link.placed (job, where)
  send ("job/placed", { job, "@where", where })
end

-- What has come since the last time. done: the messages `done`, as fields; wrong: title and text of what went wrong;
-- answered: ids of requests that were answered.
function link.receive ()
  local told, came = { done = {}, wrong = {}, answered = {} }, unread
  unread, looks = {}, looks + 1
  for _, message in ipairs (arrived (looks % WIDE_EVERY == 1)) do
    came[#came + 1] = message
  end
  for _, message in ipairs (came) do
    local what, request = message[1]:sub (#PREFIX + 1), message[2]
    if what == "ok" or what == "error" then
      told.answered[request] = true
      if message[3] == PREFIX .. "hello" then
        greeted[Session:path ()] = KNOWN
      end
    end
    if what == "done" then
      table.insert (told.done, message)
      memory.ended (request)
    elseif what == "error" then
      table.insert (told.wrong, { title = "a request was refused", text = message[5] or message[4] })
      memory.ended (request)
    elseif what == "failed" or what == "cancelled" then
      memory.log (("%s job %s"):format (what, message[3]))
      if what == "failed" then
        table.insert (told.wrong, { title = "a render failed", text = message[6] or message[4] })
      end
      send ("job/ack", { message[3] })
      memory.ended (request)
    end
  end
  return told
end

-- Receive until `request` is answered, at most three seconds; once, where it is nil.
function link.await (request, receive)
  for _ = 1, math.floor (ANSWER_S / LOOK_S) do
    local told = receive ()
    if not request or told.answered[request] then
      return
    end
    ARDOUR.LuaAPI.usleep (LOOK_S * 1e6)
  end
end

return link
