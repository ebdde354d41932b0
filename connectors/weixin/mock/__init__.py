"""A mock of the WeCom platform with 微信客服, as far as its public documentation states it.

An independent reading of the vendor's contract: it shares the pure callback crypto with the connector and
nothing else.

* `platform`  the object a test or `serve` uses        * `world`    state and rules
* `cgi`       the API under /cgi-bin                   * `outbound` what send_msg accepts
* `notices`   encrypted callbacks                      * `media`    files on disk
* `control`   the same verbs over HTTP, /_mock         * `chat`     a customer's window in a browser
* `faults`    everything that can be made to go wrong  * `load`     customers in numbers
* `tokens`, `clock`, `codes`, `records`                the small parts
"""

from connectors.weixin.mock.codes import ApiError
from connectors.weixin.mock.faults import FAULTS, Fault
from connectors.weixin.mock.load import Load, Loaded
from connectors.weixin.mock.notices import CallbackRefused, Manners
from connectors.weixin.mock.platform import Received, WeixinPlatform
from connectors.weixin.mock.records import State
from connectors.weixin.mock.world import Rules

__all__ = [
    "FAULTS",
    "ApiError",
    "CallbackRefused",
    "Fault",
    "Load",
    "Loaded",
    "Manners",
    "Received",
    "Rules",
    "State",
    "WeixinPlatform",
]
