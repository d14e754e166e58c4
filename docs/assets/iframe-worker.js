/* Browsers start no worker from a page that was opened from a folder. There, the search's worker runs in a hidden frame. */
if (location.protocol === "file:") {
  window.IFrameWorker = true
  window.Worker = class extends EventTarget {
    constructor(address) {
      super()
      this.waiting = []
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      const start = () => {
        document.body.append(this.frame)
        const inside = this.frame.contentWindow
        inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }))
        inside.importScripts = (...addresses) =>
          addresses.reduce((before, next) => before.then(() => this.load(next)), Promise.resolve())
        this.load(new URL(address, location)).then(() => {
          this.ready = true
          this.waiting.splice(0).forEach((data) => this.postMessage(data))
        })
      }
      document.body ? start() : addEventListener("DOMContentLoaded", start)
    }

    load(address) {
      return new Promise((resolve, reject) => {
        const script = this.frame.contentDocument.createElement("script")
        script.src = address
        script.onload = resolve
        script.onerror = () => reject(new Error(`${address}: not loaded`))
        this.frame.contentDocument.documentElement.append(script)
      })
    }

    postMessage(data) {
      if (!this.ready) return void this.waiting.push(data)
      const inside = this.frame.contentWindow
      inside.dispatchEvent(new inside.MessageEvent("message", { data }))
    }

    terminate() {
      this.frame.remove()
    }
  }
}
